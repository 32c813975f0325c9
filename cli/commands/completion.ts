/** `resurgo completion`: prints a shell's completion script. */
import type { Command } from '@commander-js/extra-typings';
import { Argument } from '@commander-js/extra-typings';
import { bashCompletion, completionNodes, fishCompletion, zshCompletion } from '../completion';
import { run as inContext } from '../context';
import { EXIT } from '../exit';

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish'] as const))
    .description('print the completion script of a shell')
    .addHelpText(
      'after',
      '\nExample:\n  $ resurgo completion bash > /etc/bash_completion.d/resurgo\n  $ resurgo completion zsh > "${fpath[1]}/_resurgo"\n  $ resurgo completion fish > ~/.config/fish/completions/resurgo.fish',
    )
    .action((shell, _options, command) =>
      inContext(command, ({ out }) => {
        const script = SHELLS[shell](completionNodes(program));
        out.result({ json: { shell, script }, text: script.trimEnd() });
        return Promise.resolve(EXIT.ok);
      }),
    );
}
