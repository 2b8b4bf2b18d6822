/** Publishes a certificate and ends. */
import { CertificateIssued, publishes } from "@eduflow/contracts"
import { EventBus } from "@eduflow/events"
import { CourseId, UserId } from "@eduflow/events/catalog"
import { Config, Effect, Layer } from "effect"

const live = Layer.unwrap(
  Effect.gen(function* () {
    const url = yield* Config.Redacted("EVENTBUS_URL")
    const namespace = yield* Config.String("EVENTBUS_NAMESPACE").pipe(Config.withDefault("eduflow"))
    // The start warns of subscribers that do not know these versions yet, where `redisUrl` is given, too.
    return EventBus.layerAmqp({ url, namespace, source: "academic", publishes: publishes.academic })
  })
)

await Effect.gen(function* () {
  const bus = yield* EventBus
  const certificate = {
    studentId: UserId.make("student-1"),
    courseId: CourseId.make("course-1"),
    score: 91,
    issuedAt: new Date()
  }
  // Fails as long as no subscriber has ever started.
  yield* bus.publish(CertificateIssued, certificate, { mandatory: true })
}).pipe(Effect.provide(live), Effect.runPromise)
