/** `resurgo help`: as `--help`, of any command however deep; a command that there is not is a mistake, not a request for help. */
import type { Command } from '@commander-js/extra-typings';

/** The part of commander's command that is needed to walk down. */
interface Helped {
  name(): string;
  readonly commands: readonly Helped[];
  outputHelp(): void;
}

export function registerHelp(program: Command): void {
  program
    .command('help')
    .argument('[command...]', 'the command; all of them without it')
    .description('how to use a command')
    .addHelpText('after', '\nExample:\n  $ resurgo help schedule apply')
    .action((words) => {
      let at: Helped = program;
      for (const word of words) {
        const next = at.commands.find((each) => each.name() === word);
        if (next === undefined)
          program.error(`error: unknown command '${words.join(' ')}'`, { code: 'commander.unknownCommand' });
        at = next;
      }
      at.outputHelp();
    });
}
