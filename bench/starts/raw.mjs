// amqplib by hand, in a service that uses Effect as well.
import "effect"
import "./amqplib.mjs"
