// Milliseconds and CPU microseconds of one import.
const [cpu, from] = [process.cpuUsage(), performance.now()]
const imported = await import(process.argv[2] === "effect" ? "effect" : "../../dist/index.js")
const millis = performance.now() - from
const { system, user } = process.cpuUsage(cpu)
if (process.argv[2] === "createEventBus" && typeof imported.createEventBus !== "function") process.exit(1)
process.send(`${millis} ${user + system}`)
