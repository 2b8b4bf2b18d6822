/**
 * A boot file that makes a RabbitMQ node start with half of the processor time.
 *
 * Erlang looks for each of some nine hundred modules in some ninety folders, and copies its table of functions for each
 * module that it loads. A boot file names the modules of each folder: the VM loads them folder by folder, and looks for
 * none. The first node of a kind writes the file, from what it has loaded when it is up; those after it boot from it.
 *
 * Nodes are of one kind when their Erlang, RabbitMQ and plugins are the same. `rabbitmq-env` looks for the file, so that
 * this works in a root of another suite of Debian as well.
 */
import { mkdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** The file that RabbitMQ's scripts take their settings from, where they look for a boot file. */
export const bootSettings = (): string => {
  const folder = join(tmpdir(), "eventbus-erlang-boot")
  mkdirSync(folder, { recursive: true })
  return `
RABBITMQ_CONF_ENV_FILE=/dev/null/none # the broker itself would read this file in a shell of its own
erlang=$(dirname "$(readlink -f "$(command -v erl)")")
kind=$({
  ls -ldn "$erlang" "$erlang"/../lib/* "$RABBITMQ_HOME"/plugins/*
  cat "$RABBITMQ_ENABLED_PLUGINS_FILE"
} | cksum | tr ' ' -)
export EVENTBUS_BOOT_FILE='${folder}'/$kind.boot
if [ -s "$EVENTBUS_BOOT_FILE" ]; then SASL_BOOT_FILE='${folder}'/$kind; fi
`
}

/**
 * Erlang that writes the boot file unless there is one. Modules with code to run when they are loaded stay out: it needs
 * Erlang's code server, which starts later.
 */
export const writeBoot = `
Target = os:getenv("EVENTBUS_BOOT_FILE"),
case filelib:is_regular(Target) of
  true -> there;
  false ->
    {ok, Given} = file:read_file(filename:join([code:root_dir(), "bin", "start_sasl.boot"])),
    {script, Id, Commands} = binary_to_term(Given),
    {First, Rest} = lists:splitwith(fun(Command) -> Command =/= {kernel_load_completed} end, Commands),
    Known = lists:append([Modules || {primLoad, Modules} <- First]),
    IsPlain = fun(Module, File) ->
      case file:read_file(File) of
        {ok, Code} -> not erlang:has_prepared_code_on_load(erlang:prepare_loading(Module, Code));
        {error, _} -> false
      end
    end,
    Loaded = lists:sort([{filename:dirname(File), Module} ||
      {Module, File} <- code:all_loaded(), is_list(File), not lists:member(Module, Known), IsPlain(Module, File)]),
    Loads = [[{path, [Folder]}, {primLoad, [Module || {Of, Module} <- Loaded, Of =:= Folder]}] ||
      Folder <- lists:usort([Folder || {Folder, _} <- Loaded])],
    Draft = Target ++ "." ++ os:getpid(),
    ok = file:write_file(Draft, term_to_binary({script, Id, First ++ lists:append(Loads) ++ Rest})),
    ok = file:rename(Draft, Target),
    written
end.`
