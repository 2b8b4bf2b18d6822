import { EventsModule } from "@eduflow/events/nest"
import { Injectable, Module } from "@nestjs/common"

@Injectable()
export class Settings {
  readonly events = { url: process.env["EVENTBUS_URL"] ?? "memory://", source: "accounts" }
}

@Module({ providers: [Settings], exports: [Settings] })
export class SettingsModule {}

export const events = EventsModule.forRootAsync({
  imports: [SettingsModule],
  inject: [Settings],
  useFactory: (settings: Settings) => settings.events
})
