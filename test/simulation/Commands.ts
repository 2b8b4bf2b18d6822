/**
 * What happens to a world, one thing at a time: users publish, operators stop and start, machines and
 * networks fail. Between two of them pass some turns of the event loop, or time.
 */
import { Effect, Fiber } from "effect"
import * as Chance from "./Chance.ts"
import type { Command } from "./Setup.ts"
import type { Process, World } from "./World.ts"

export const make = (world: World) => {
  const { ledger, server, setup, slots } = world
  const chance = Chance.of(setup.seed, "commands")
  /** Keys whose last publish has no outcome yet: the next one comes after it (P6). */
  const busy = new Set<string>()
  let cutOff = false
  let blocked = false

  const plain = (): "plain" | "keyed" => (chance.one(0.3) ? "plain" : "keyed")
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
    return free.length === 0 ? undefined : chance.pick(free)
  }
  const later = (most: number, action: () => void): void =>
    void world.run(Effect.andThen(Effect.sleep(chance.int(1, most)), Effect.sync(action)))

  const publish = (
    process: Process,
    event: "plain" | "keyed" | "nobody",
    more: { delay?: number; mandatory?: boolean; bad?: boolean; interrupted?: boolean } = {}
  ): void => {
    const key = freeKey()
    if (key === undefined && event === "keyed") return
    const timeout = chance.one(0.3) ? chance.int(200, setup.publishTimeout) : setup.publishTimeout
    const intent = world.intend(event, key ?? "none", {
      delayed: more.delay !== undefined,
      mandatory: more.mandatory === true,
      timeout
    })
    const effect = world.publish(process, intent, {
      ...(more.delay !== undefined && { delay: more.delay }),
      ...(more.bad !== undefined && { bad: more.bad })
    })
    const wait = chance.one(0.5) ? 0 : chance.int(1, 600)
    const count = chance.int(0, 4)
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
    delayed: (process) => publish(process, plain(), { delay: chance.int(1, 5) * 1000 }),
    mandatory: (process) => publish(process, chance.one(0.5) ? "nobody" : plain(), { mandatory: true }),
    invalid: (process) => publish(process, plain(), { bad: true }),
    interrupted: (process) => publish(process, plain(), { interrupted: true }),
    publishAll: (process) => {
      const event = plain()
      const free = event === "keyed" ? setup.keys.filter((key) => !busy.has(key)) : ["none"]
      if (free.length === 0) return
      const intents = Array.from({ length: chance.int(2, 8) }, () =>
        world.intend(event, chance.pick(free), { pipelined: true })
      )
      within(
        process,
        event === "keyed" ? [...new Set(intents.map(({ key }) => key))] : [],
        world.publishAll(process, intents)
      )
    },
    crash: (process) => world.crash(process.life, chance.one(0.5) ? "stored" : "not stored"),
    drain: (process) => world.drain(process),
    cut: ({ life }) => {
      ledger.disturbances++
      ledger.note(`${life.name} is cut off`)
      server.cut(life.name, chance.one(0.5) ? "stored" : "not stored")
      later(4000, () => {
        ledger.note(`${life.name} is connected again`)
        server.restore(life.name)
      })
    },
    cutAll: () => {
      if (cutOff) return
      cutOff = true
      ledger.disturbances++
      ledger.note("all are cut off")
      server.disconnect(chance.one(0.5) ? "stored" : "not stored")
      later(4000, () => {
        cutOff = false
        ledger.note("all are connected again")
        server.reconnect()
      })
    },
    block: () => {
      if (blocked) return
      blocked = true
      ledger.note("the broker blocks")
      server.block("alarm")
      later(6000, () => {
        blocked = false
        ledger.note("the broker blocks no more")
        server.unblock()
      })
    },
    cancel: () => {
      const { name } = chance.pick(setup.subscribers)
      ledger.disturbances++
      ledger.note(`the consumers of ${name} are cancelled`)
      server.cancelConsumers(name)
    },
    deleteQueue: () => {
      const { name } = chance.pick(setup.subscribers)
      ledger.disturbances++
      ledger.note(`the queue of ${name} is deleted`)
      world.deleted.add(name)
      server.deleteQueue(name)
    },
    replay: (process) => {
      const { name } = chance.pick(setup.subscribers)
      const killed = chance.one(0.3)
      const count = chance.int(0, 8)
      ledger.disturbances += killed ? 1 : 0
      ledger.note(`${process.life.name} replays the dead letters of ${name}${killed ? ", and is interrupted" : ""}`)
      process.life.replaying++
      const replay = process.letters.replay(name).pipe(
        Effect.matchCause({
          onSuccess: ({ replayed }) => {
            process.life.replaying--
            ledger.note(`${process.life.name} has replayed ${replayed} of ${name}`)
          },
          onFailure: () => ledger.note(`${process.life.name} has replayed ${name} in part`)
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
      const subscription = chance.pick(subscriptions)
      const millis = chance.int(100, 5000)
      ledger.note(`${process.life.name} pauses ${subscription.name}`)
      process.run(
        Effect.gen(function* () {
          yield* subscription.pause
          world.actors.paused(process.life, subscription.name, true)
          yield* Effect.sleep(millis)
          world.actors.paused(process.life, subscription.name, false)
          yield* subscription.resume
          ledger.note(`${process.life.name} resumes ${subscription.name}`)
        })
      )
    },
    setConcurrency: (process) => {
      const subscriptions = [...process.subscriptions.values()]
      if (subscriptions.length === 0) return
      const subscription = chance.pick(subscriptions)
      const count = chance.pick([1, 2, 3, 8, 32])
      world.actors.setConcurrency(process.life, subscription.name, count)
      process.run(Effect.orDie(subscription.setConcurrency(count)))
    },
    storeDown: () => {
      ledger.disturbances++
      ledger.note("the store of marks is down")
      world.actors.storeDown(true)
      later(5000, () => {
        ledger.note("the store of marks is there again")
        world.actors.storeDown(false)
      })
    },
    read: (process) => process.run(Effect.ignoreCause(process.cache.store.last("sim.keyed", chance.pick(setup.keys))))
  }

  /** One thing happens, and then some time passes, or none. */
  const step = Effect.gen(function* () {
    const processes = world.processes()
    if (processes.length > 0) commands[chance.weighted(setup.commands)](chance.pick(processes))
    const pace = chance.next()
    yield* world.turns(pace < 0.3 ? 0 : chance.int(1, pace < 0.9 ? 6 : 30))
    if (chance.one(0.35)) yield* world.pass(chance.one(0.5) ? chance.int(1, 300) : chance.int(300, 2500))
  })

  return {
    step,
    /** Puts an end to all trouble. */
    heal: Effect.sync(() => {
      ledger.note("all trouble ends")
      world.faults.calm()
      world.actors.calm()
      server.unblock()
      server.reconnect()
      for (const name of world.lives.keys()) server.restore(name)
      for (const slot of slots.keys()) world.start(slot)
    })
  }
}
