/** What `grants` answers, as a schema. */
import * as Schema from "effect/Schema"
import { report } from "./ReportForm.ts"

const Rights = { write: Schema.String, read: Schema.String }

export const Grants = report("grants", {
  namespace: Schema.String,
  user: Schema.String,
  rabbitmq: Schema.Struct({
    vhost: Schema.String,
    permissions: Schema.Struct({ configure: Schema.String, ...Rights }),
    topicPermissions: Schema.Array(Schema.Struct({ exchange: Schema.String, ...Rights })),
    /** Commands of `rabbitmqctl`; `<password>` stands for the password. */
    commands: Schema.Array(Schema.String),
    /** The same as definitions to import. */
    definitions: Schema.Record(Schema.String, Schema.Array(Schema.Record(Schema.String, Schema.Unknown)))
  }),
  redis: Schema.Struct({
    /** What the service is to have as EVENTBUS_STATE_NAMESPACE. */
    stateNamespace: Schema.String,
    /** Commands of Redis; `<password>` stands for the password. */
    commands: Schema.Array(Schema.String),
    /** The same for operators, who alone may pause subscribers; `<operator>` stands for the name. */
    operatorCommands: Schema.Array(Schema.String)
  }),
  notes: Schema.Array(Schema.String)
})
