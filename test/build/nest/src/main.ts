import { NestFactory } from "@nestjs/core"
import { EventsModule } from "@eduflow/events/nest"
import { Module } from "@nestjs/common"
import { AppModule, Store } from "./app.js"

@Module({ imports: [EventsModule.forRoot({ url: "http://localhost" })] })
class Failing {}

const main = async () => {
  const app = await NestFactory.create(AppModule, { logger: false })
  await app.listen(0, "127.0.0.1")
  const url = await app.getUrl()
  const health = await fetch(`${url}/health`)
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text: "hello" })
  })
  // The event is with its handler when the app ends.
  await app.get(Store).isAsked.promise
  await app.close()
  const failing = await NestFactory.create(Failing, { logger: false })
  const failure = await failing.listen(0).catch((error: { readonly _tag: string }) => error._tag)
  await failing.close()
  console.log(JSON.stringify([response.status, await response.json(), health.status, app.get(Store).texts, failure]))
}

void main()
