import { Argument, Command, type Option } from "commander";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** A command that prints what a shell needs to complete all commands and flags of a program. */
export function completionOf(program: Command): Command {
  return new Command("completion")
    .summary("prints a script that completes commands and flags in a shell")
    .description("payonce completion: prints a script that completes commands and flags in a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText("after", "\nFor bash: source <(payonce completion bash)")
    .action((shell: (typeof SHELLS)[number]) => {
      console.log(scripts[shell](program.name(), program.commands).trim());
    });
}

type Script = (program: string, commands: readonly Command[]) => string;

// Everything stands in the scripts: no process is started for a key that is pressed.
const scripts: Readonly<Record<(typeof SHELLS)[number], Script>> = {
  bash: (program, commands) => `
_${program}() {
  local word=\${COMP_WORDS[COMP_CWORD]} words=
  if ((COMP_CWORD == 1)); then
    words="${[...commands.map((command) => command.name()), "--help", "--version"].join(" ")}"
  else
    case "\${COMP_WORDS[1]} \${COMP_WORDS[COMP_CWORD - 1]}" in
${commands.map(bashCases).join("\n")}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _${program} ${program}`,

  zsh: (program, commands) => `
#compdef ${program}
_${program}() {
  if ((CURRENT == 2)); then
    local -a commands=(${commands.map((command) => quoted(`${command.name()}:${command.summary()}`)).join(" ")})
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${commands.map((command) => `    ${command.name()}) _arguments ${zshArguments(command)} ;;`).join("\n")}
  esac
}
compdef _${program} ${program}`,

  fish: (program, commands) =>
    commands
      .flatMap((command) => [
        ...(wordsOf(command) === ""
          ? []
          : [
              `complete -c ${program} -f -n '__fish_seen_subcommand_from ${command.name()}' -a ${quoted(wordsOf(command))}`,
            ]),
        `complete -c ${program} -f -n __fish_use_subcommand -a ${command.name()} -d ${quoted(command.summary())}`,
        ...command.options.map(
          (option) =>
            `complete -c ${program} -n '__fish_seen_subcommand_from ${command.name()}' -l ${option.name()} ${fishValue(option)}-d ${quoted(meaningOf(option))}`,
        ),
      ])
      .join("\n"),
};

function bashCases(command: Command): string {
  const flags = [...command.options.map(({ long }) => long), "--help"].join(" ");
  return [
    ...command.options
      .filter(({ required }) => required)
      .map(({ long, argChoices = [] }) => {
        return `      "${command.name()} ${long}") words="${argChoices.join(" ")}" ;;`;
      }),
    `      "${command.name()} "*) words="${wordsOf(command) || flags}" ;;`,
  ].join("\n");
}

function zshArguments(command: Command): string {
  const flags = command.options.map((option) => {
    const { long, required, argChoices } = option;
    const value = required
      ? `:value:${argChoices === undefined ? "_files" : `(${argChoices.join(" ")})`}`
      : "";
    return quoted(`${long}[${meaningOf(option).replace(/[[\]:\\]/g, "\\$&")}]${value}`);
  });
  const words = wordsOf(command);
  return [...flags, ...(words === "" ? [] : [quoted(`1:value:(${words})`)])].join(" ");
}

function fishValue({ required, argChoices }: Option): string {
  if (!required) {
    return "";
  }
  return argChoices === undefined ? "-r " : `-x -a ${quoted(argChoices.join(" "))} `;
}

/** The words that a command takes without a flag. */
function wordsOf(command: Command): string {
  return command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices).join(" ");
}

/** The first line of a flag's help. */
function meaningOf({ description }: Option): string {
  return description.split("\n", 1)[0] ?? "";
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
