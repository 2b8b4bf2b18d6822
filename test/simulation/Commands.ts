/**
 * What happens to a world, one command at a time: users publish, operators stop and start, machines and
 * networks fail. Between two commands the event loop turns a few times, or time passes.
 */
import { Effect, Fiber } from "effect"
import * as RandomSource from "../support/RandomSource.ts"
import type { Command } from "./Setup.ts"
import type { Process } from "./Processes.ts"
import type { World } from "./World.ts"

export const make = (world: World) => {
  const { observed, server, setup } = world
  const random = RandomSource.forPurpose(setup.seed, "commands")
  /** Keys whose last publish has no outcome yet: order by key (P6) holds only for publishes after it. */
  const busy = new Set<string>()
  let cutOff = false
  let blocked = false

  const plain = (): "plain" | "keyed" => (random.one(0.3) ? "plain" : "keyed")
  /** Holds a key until the publish of it has its outcome. */
  const within = (process: Process, keys: ReadonlyArray<string>, effect: Effect.Effect<void>): void => {
    for (const key of keys) busy.add(key)
    process.run(
      Effect.ensuring(
        effect,
        Effect.sync(() => keys.forEach((key) => busy.delete(key)))
      )
    )
  }
  const freeKey = (): string | undefined => {
    const free = setup.keys.filter((key) => !busy.has(key))
    return free.length === 0 ? undefined : random.pick(free)
  }
  const later = (most: number, action: () => void): void =>
    void world.run(Effect.andThen(Effect.sleep(random.int(1, most)), Effect.sync(action)))

  const publish = (
    process: Process,
    event: "plain" | "keyed" | "nobody",
    more: { delay?: number; mandatory?: boolean; bad?: boolean; interrupted?: boolean } = {}
  ): void => {
    const key = freeKey()
    if (key === undefined && event === "keyed") return
    const timeout = random.one(0.3) ? random.int(200, setup.publishTimeout) : setup.publishTimeout
    const intent = world.publishing.intend(event, key ?? "none", {
      delayed: more.delay !== undefined,
      mandatory: more.mandatory === true,
      timeout
    })
    const effect = world.publishing.publish(process, intent, {
      ...(more.delay !== undefined && { delay: more.delay }),
      ...(more.bad !== undefined && { bad: more.bad })
    })
    const wait = random.one(0.5) ? 0 : random.int(1, 600)
    const count = random.int(0, 4)
    const whole =
      more.interrupted === true
        ? Effect.gen(function* () {
            const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
            yield* world.turns(count)
            if (wait > 0) yield* Effect.sleep(wait)
            yield* Fiber.interrupt(fiber)
          })
        : effect
    within(process, event === "keyed" && key !== undefined ? [key] : [], whole)
  }

  const commands: Readonly<Record<Command, (process: Process) => void>> = {
    publish: (process) => publish(process, plain()),
    delayed: (process) => publish(process, plain(), { delay: random.int(1, 5) * 1000 }),
    mandatory: (process) => publish(process, random.one(0.5) ? "nobody" : plain(), { mandatory: true }),
    invalid: (process) => publish(process, plain(), { bad: true }),
    interrupted: (process) => publish(process, plain(), { interrupted: true }),
    publishAll: (process) => {
      const event = plain()
      const free = event === "keyed" ? setup.keys.filter((key) => !busy.has(key)) : ["none"]
      if (free.length === 0) return
      const intents = Array.from({ length: random.int(2, 8) }, () =>
        world.publishing.intend(event, random.pick(free), { pipelined: true })
      )
      within(
        process,
        event === "keyed" ? [...new Set(intents.map(({ key }) => key))] : [],
        world.publishing.publishAll(process, intents)
      )
    },
    crash: (process) => world.processes.crash(process.life, random.one(0.5) ? "stored" : "not-stored"),
    drain: (process) => world.processes.drain(process),
    cut: ({ life }) => {
      observed.disturbances++
      observed.note(`${life.name} is cut off`)
      server.cut(life.name, random.one(0.5) ? "stored" : "not-stored")
      later(4000, () => {
        observed.note(`${life.name} is connected again`)
        server.restore(life.name)
      })
    },
    cutAll: () => {
      if (cutOff) return
      cutOff = true
      observed.disturbances++
      observed.note("all are cut off")
      server.disconnect(random.one(0.5) ? "stored" : "not-stored")
      later(4000, () => {
        cutOff = false
        observed.note("all are connected again")
        server.reconnect()
      })
    },
    block: () => {
      if (blocked) return
      blocked = true
      observed.note("the broker blocks")
      server.block("alarm")
      later(6000, () => {
        blocked = false
        observed.note("the broker unblocks")
        server.unblock()
      })
    },
    cancel: () => {
      const { name } = random.pick(setup.subscribers)
      observed.disturbances++
      observed.note(`the consumers of ${name} are cancelled`)
      server.cancelConsumers(name)
    },
    deleteQueue: () => {
      const { name } = random.pick(setup.subscribers)
      observed.disturbances++
      observed.note(`the queue of ${name} is deleted`)
      world.deleted.add(name)
      server.deleteQueue(name)
    },
    replay: (process) => {
      const { name } = random.pick(setup.subscribers)
      const killed = random.one(0.3)
      const count = random.int(0, 8)
      observed.disturbances += killed ? 1 : 0
      observed.note(`${process.life.name} replays the dead letters of ${name}${killed ? ", and is interrupted" : ""}`)
      process.life.replaying++
      const replay = process.letters.replay(name).pipe(
        Effect.matchCause({
          onSuccess: ({ replayed }) => {
            process.life.replaying--
            observed.note(`${process.life.name} has replayed ${replayed} of ${name}`)
          },
          onFailure: () => observed.note(`${process.life.name} has replayed ${name} in part`)
        }),
        Effect.asVoid
      )
      process.run(
        killed
          ? Effect.gen(function* () {
              const fiber = yield* Effect.forkChild(replay)
              yield* world.turns(count)
              yield* Fiber.interrupt(fiber)
            })
          : replay
      )
    },
    pause: (process) => {
      const subscriptions = [...process.subscriptions.values()]
      if (subscriptions.length === 0) return
      const subscription = random.pick(subscriptions)
      const millis = random.int(100, 5000)
      observed.note(`${process.life.name} pauses ${subscription.name}`)
      process.run(
        Effect.gen(function* () {
          yield* subscription.pause
          world.rules.paused(process.life, subscription.name, true)
          yield* Effect.sleep(millis)
          world.rules.paused(process.life, subscription.name, false)
          yield* subscription.resume
          observed.note(`${process.life.name} resumes ${subscription.name}`)
        })
      )
    },
    setConcurrency: (process) => {
      const subscriptions = [...process.subscriptions.values()]
      if (subscriptions.length === 0) return
      const subscription = random.pick(subscriptions)
      const count = random.pick([1, 2, 3, 8, 32])
      world.rules.setConcurrency(process.life, subscription.name, count)
      process.run(Effect.orDie(subscription.setConcurrency(count)))
    },
    storeDown: () => {
      observed.disturbances++
      observed.note("the claim store is down")
      world.claims.setDown(true)
      later(5000, () => {
        observed.note("the claim store is back")
        world.claims.setDown(false)
      })
    },
    read: (process) => process.run(Effect.ignoreCause(process.store.last("sim.keyed", random.pick(setup.keys))))
  }

  /** One command, and then some time passes, or none. */
  const step = Effect.gen(function* () {
    const processes = world.processes.ready()
    if (processes.length > 0) commands[random.weighted(setup.commands)](random.pick(processes))
    const pace = random.next()
    yield* world.turns(pace < 0.3 ? 0 : random.int(1, pace < 0.9 ? 6 : 30))
    if (random.one(0.35)) yield* world.pass(random.one(0.5) ? random.int(1, 300) : random.int(300, 2500))
  })

  return {
    step,
    /** Puts an end to all trouble. */
    heal: Effect.sync(() => {
      observed.note("all trouble ends")
      world.faults.calm()
      world.claims.calm()
      server.unblock()
      server.reconnect()
      for (const name of world.processes.lives.keys()) server.restore(name)
      for (const slot of world.processes.slots.keys()) world.processes.start(slot)
    })
  }
}
