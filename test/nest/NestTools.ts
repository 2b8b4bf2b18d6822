/** Starts apps, and asks them over HTTP. */
import type { INestApplication, ModuleMetadata } from "@nestjs/common"
import { Test } from "@nestjs/testing"
import { assert } from "vitest"

/** An app of these imports that is not started yet. */
export const appOf = async (imports: NonNullable<ModuleMetadata["imports"]>): Promise<INestApplication> => {
  const app = (await Test.createTestingModule({ imports }).compile()).createNestApplication()
  app.useLogger(false)
  return app
}

/** Runs a test in an app that listens, and closes it. */
export const withApp = async (
  imports: NonNullable<ModuleMetadata["imports"]>,
  test: (app: INestApplication, ask: Ask) => Promise<void>
): Promise<void> => {
  const app = await appOf(imports)
  try {
    await app.listen(0, "127.0.0.1")
    const url = await app.getUrl()
    await test(app, async (path, body) => {
      const response = await fetch(
        url + path,
        body === undefined
          ? {}
          : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }
      )
      const answer: unknown = await response.json()
      return { status: response.status, answer }
    })
  } finally {
    await app.close()
  }
}

export type Ask = (path: string, body?: object) => Promise<{ readonly status: number; readonly answer: unknown }>

/** The error that a Promise rejects with. */
export const failureOf = async (promise: Promise<unknown>): Promise<unknown> => {
  const nothing = Symbol("nothing")
  const error = await promise.then(
    () => nothing,
    (error: unknown) => error
  )
  assert.notStrictEqual(error, nothing, "it did not fail")
  return error
}
