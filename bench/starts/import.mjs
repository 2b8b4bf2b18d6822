// Milliseconds of one import.
const from = performance.now()
await import(process.argv[2] === "door" ? "../../dist/index.js" : "effect")
process.send(performance.now() - from)
