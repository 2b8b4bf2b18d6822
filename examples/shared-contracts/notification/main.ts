/** Mails what students have reached, until it is stopped. */
import { mailer } from "@eduflow/contracts"
import { EventBusLive, runMain, Subscriber } from "@eduflow/events"
import { Console, Layer } from "effect"

const { name, ...declared } = mailer

const Mailer = Subscriber.layer(name, {
  ...declared,
  handler: ({ data, type }) => Console.log(`mail to ${data.studentId}: ${type} in ${data.courseId}`)
})

runMain(Mailer.pipe(Layer.provide(EventBusLive)))
