/** Shell completion from the program itself: its commands, their subcommands and options; nothing to keep in step by hand. */

/** One command as completion sees it. */
export interface CompletionNode {
  /** From the program's name down: `['schedule', 'apply']`; empty for the program itself. */
  path: string[];
  description: string;
  subcommands: { name: string; description: string }[];
  /** The words that its first argument may be, where it is one of a few. */
  choices: { name: string; description: string }[];
  /** With their dashes. */
  options: { names: string[]; description: string; takesValue: boolean }[];
}

/** The part of commander's command that is read. */
interface CommandLike {
  name(): string;
  description(): string;
  readonly commands: readonly CommandLike[];
  readonly registeredArguments: readonly { description: string; argChoices?: readonly string[] }[];
  readonly options: readonly {
    short?: string;
    long?: string;
    description: string;
    required: boolean;
    optional: boolean;
  }[];
}

/** All commands, the program first. */
export function completionNodes(program: CommandLike): CompletionNode[] {
  // `--version` is the program's alone; the others may stand after any command.
  const globals = optionsOf(program).filter((each) => !each.names.includes('--version'));
  const walk = (command: CommandLike, path: string[]): CompletionNode[] => [
    {
      path,
      description: command.description(),
      subcommands: command.commands.map((each) => ({ name: each.name(), description: each.description() })),
      choices: choicesOf(command),
      options: [...(path.length === 0 ? optionsOf(program) : [...optionsOf(command), ...globals]), HELP],
    },
    ...command.commands.flatMap((each) => walk(each, [...path, each.name()])),
  ];
  return walk(program, []);
}

const HELP = { names: ['-h', '--help'], description: 'how to use it', takesValue: false };

function choicesOf({ registeredArguments: [first] }: CommandLike): CompletionNode['choices'] {
  return (first?.argChoices ?? []).map((name) => ({ name, description: first?.description ?? '' }));
}

function optionsOf(command: CommandLike): CompletionNode['options'] {
  return command.options.map(({ short, long, description, required, optional }) => ({
    names: [short, long].filter((each) => each !== undefined),
    description,
    takesValue: required || optional,
  }));
}

/** For bash; words that are no option fall back to file names. */
export function bashCompletion(nodes: readonly CompletionNode[]): string {
  const cases = nodes.map((node) => {
    const given = [...node.subcommands, ...node.choices].map((each) => each.name);
    const words = [...given, ...node.options.flatMap((each) => each.names)];
    return `    '${node.path.join(' ')}') words='${words.join(' ')}' ;;`;
  });
  return `# bash completion for resurgo: source it, or put it into /etc/bash_completion.d/resurgo
_resurgo() {
  local cur=\${COMP_WORDS[COMP_CWORD]} path='' word next words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next="\${path:+$path }$word"
    case "$next" in
      ${paths(nodes)
        .map((path) => `'${path}'`)
        .join(' | ')}) path=$next ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -o default -F _resurgo resurgo
`;
}

/** For zsh, with descriptions. */
export function zshCompletion(nodes: readonly CompletionNode[]): string {
  const cases = nodes.map((node) => {
    const words = [
      ...[...node.subcommands, ...node.choices].map((each) => described(each.name, each.description)),
      ...node.options.flatMap(({ names, description }) => names.map((name) => described(name, description))),
    ];
    return `    '${node.path.join(' ')}') items=(${words.map(quoted).join(' ')}) ;;`;
  });
  return `#compdef resurgo
# zsh completion for resurgo: put it as _resurgo into a folder of $fpath
_resurgo() {
  local current='' word next
  local -a items
  for word in "\${(@)words[2,CURRENT-1]}"; do
    next="\${current:+$current }$word"
    case "$next" in
      ${paths(nodes).map(quoted).join(' | ')}) current=$next ;;
    esac
  done
  case "$current" in
${cases.join('\n')}
  esac
  _describe -t commands resurgo items || _files
}
if [ "$funcstack[1]" = _resurgo ]; then _resurgo "$@"; else compdef _resurgo resurgo; fi
`;
}

/** For fish. */
export function fishCompletion(nodes: readonly CompletionNode[]): string {
  const lines = nodes.flatMap(({ path, subcommands, choices, options }) => {
    const known = path.map((each) => `__fish_seen_subcommand_from ${each}`);
    const open =
      subcommands.length === 0
        ? []
        : [`not __fish_seen_subcommand_from ${subcommands.map((each) => each.name).join(' ')}`];
    const commandsWhen = path.length === 0 ? '__fish_use_subcommand' : [...known, ...open].join('; and ');
    const optionsWhen = path.length === 0 ? '' : ` -n ${quoted([...known, ...open].join('; and '))}`;
    return [
      ...[...subcommands, ...choices].map(
        ({ name, description }) =>
          `complete -c resurgo -f -n ${quoted(commandsWhen)} -a ${name} -d ${quoted(description)}`,
      ),
      ...options
        // The program's own options stand in every command: said once.
        .filter((option) => path.length === 0 || !isGlobal({ nodes, option }))
        .map(({ names, description, takesValue }) => {
          const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
          return `complete -c resurgo${optionsWhen} ${flags.join(' ')}${takesValue ? ' -r' : ''} -d ${quoted(description)}`;
        }),
    ];
  });
  return `# fish completion for resurgo: put it into ~/.config/fish/completions/resurgo.fish\n${lines.join('\n')}\n`;
}

function isGlobal({
  nodes,
  option,
}: {
  nodes: readonly CompletionNode[];
  option: CompletionNode['options'][number];
}): boolean {
  return nodes[0]?.options.some((each) => each.names.join() === option.names.join()) === true;
}

function paths(nodes: readonly CompletionNode[]): string[] {
  return nodes.filter((node) => node.path.length > 0).map((node) => node.path.join(' '));
}

function described(name: string, description: string): string {
  return `${name.replaceAll(':', '\\:')}:${description}`;
}

/** As one word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
