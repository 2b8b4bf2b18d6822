/** The databases by their names. */
import { postgres } from "./Postgres.ts"
import { sqlite } from "./Sqlite.ts"

export const dialects = { postgres, sqlite } as const
