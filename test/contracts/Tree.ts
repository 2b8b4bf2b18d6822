/** A schema that names itself, with an identifier that JSON Pointer has to escape. */
import { Schema } from "effect"

export interface Tree {
  readonly name: string
  readonly children: ReadonlyArray<Tree>
}
export const Tree: Schema.Codec<Tree> = Schema.Struct({
  name: Schema.String,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
}).annotate({ identifier: "a tree/~" })
