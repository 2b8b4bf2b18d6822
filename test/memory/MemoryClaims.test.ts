/** The claims in memory against the conformance suite. */
import * as MemoryClaims from "../../src/memory/MemoryClaims.ts"
import { claimStoreCases } from "../../src/ports/index.ts"
import { conforms } from "../support/conformance.ts"

conforms("MemoryClaims", MemoryClaims.layer, claimStoreCases)
