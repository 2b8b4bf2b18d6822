/** The databases by their names. */
import { mysql } from "./Mysql.ts"
import { postgres } from "./Postgres.ts"
import { sqlite } from "./Sqlite.ts"

export const dialects = { postgres, sqlite, mysql } as const
