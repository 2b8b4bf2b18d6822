/** The marks of a process against the suite of all stores. */
import * as MemoryMarks from "../../src/memory/MemoryMarks.ts"
import { markSuite } from "../suites/MarkSuite.ts"

markSuite("MemoryMarks", MemoryMarks.make)
