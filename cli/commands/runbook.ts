/** `resurgo runbook`, `resurgo init`, `resurgo import`: writing, checking and reading the runbook. Need neither fleet nor engine. */
import { writeFile } from 'node:fs/promises';
import type { Command } from '@commander-js/extra-typings';
import { z } from 'zod';
import { hasCode } from '../../hosts/files';
import { counted } from '../../planning/counted';
import { importAnsibleFile } from '../../runbooks/import-ansible';
import { starterRunbook } from '../../runbooks/init';
import { formatIssue, RunbookError } from '../../runbooks/issues';
import { runbookJsonSchema } from '../../runbooks/json-schema';
import { examineRunbook, loadRunbook, readText } from '../../runbooks/load';
import { showRunbook } from '../../runbooks/show';
import { run as inContext } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { printable } from '../output';
import type { JsonObject } from '../output';

export function registerRunbook(program: Command): void {
  const runbook = program
    .command('runbook')
    .description('check, show and complete the runbook')
    .addHelpText('after', '\nExample:\n  $ resurgo runbook validate resurgo.yaml');
  runbook
    .command('validate')
    .argument('[file]', 'the runbook; the one of --runbook without it')
    .description('say what is wrong, by line, and what is hardly meant; exit 2 when something is wrong')
    .addHelpText('after', '\nExample:\n  $ resurgo runbook validate resurgo.yaml')
    .action((file, _options, command) =>
      inContext(command, (context) => Promise.resolve(validate(context, fileOf(file, command)))),
    );
  runbook
    .command('show')
    .argument('[file]', 'the runbook; the one of --runbook without it')
    .description('print it with every default filled in')
    .addHelpText('after', '\nExample:\n  $ resurgo runbook show resurgo.yaml')
    .action((file, _options, command) =>
      inContext(command, (context) => Promise.resolve(show(context, fileOf(file, command)))),
    );
  runbook
    .command('schema')
    .description('print its JSON Schema, for completion in an editor')
    .addHelpText('after', '\nExample:\n  $ resurgo runbook schema > resurgo.schema.json')
    .action((_options, command) => inContext(command, (context) => Promise.resolve(schema(context))));
  program
    .command('init')
    .argument('[file]', 'where to write it; the place of --runbook without it')
    .description('write a commented first runbook; never over an existing file')
    .addHelpText('after', '\nExample:\n  $ resurgo init resurgo.yaml')
    .action((file, _options, command) => inContext(command, (context) => init(context, fileOf(file, command))));
  program
    .command('import')
    .description('make a runbook from what describes the fleet already')
    .addHelpText('after', '\nExample:\n  $ resurgo import ansible inventories/prod/hosts -o resurgo.yaml')
    .command('ansible')
    .argument('<inventory>', 'an inventory file, INI or YAML; group_vars and host_vars beside it are read too')
    .option('-o, --output <file>', 'write it there (never over an existing file) instead of to stdout')
    .description('from an Ansible inventory; what is not carried over is listed on stderr, by line')
    .addHelpText('after', '\nExample:\n  $ resurgo import ansible inventories/prod/hosts -o resurgo.yaml')
    .action((inventory, options, command) =>
      inContext(command, (context) => importAnsible(context, { inventory, ...options })),
    );
}

const named = z.object({ runbook: z.string() });

function fileOf(file: string | undefined, command: { optsWithGlobals(): unknown }): string {
  return file ?? named.parse(command.optsWithGlobals()).runbook;
}

function validate({ out }: CliContext, file: string): number {
  try {
    const { runbook, warnings } = examineRunbook({ text: readText({ file }), file });
    const { hosts, stores, groups } = runbook;
    const counts = {
      hosts: Object.keys(hosts).length,
      stores: Object.keys(stores).length,
      groups: Object.keys(groups).length,
    };
    for (const each of warnings) out.warn(printable(`warning: ${formatIssue(each)}`));
    out.result({
      json: { file, valid: true, ...counts, issues: [], warnings: warnings.map((each) => ({ ...each })) },
      text: `${printable(file)}: valid (${counted(counts.hosts, 'host')}, ${counted(counts.stores, 'store')}, ${counted(counts.groups, 'group')})`,
    });
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof RunbookError) || !out.json) throw error;
    out.result({ json: { file, valid: false, issues: error.issues.map((each) => ({ ...each })) }, text: '' });
    return EXIT.usage;
  }
}

function show({ out }: CliContext, file: string): number {
  const runbook = loadRunbook({ file });
  out.result({ json: plain(runbook), text: showRunbook(runbook).trimEnd() });
  return EXIT.ok;
}

function schema({ out }: CliContext): number {
  const made = runbookJsonSchema();
  out.result({ json: plain(made), text: JSON.stringify(made, null, 2) });
  return EXIT.ok;
}

async function init({ out }: CliContext, file: string): Promise<number> {
  await writeNew({ file, text: starterRunbook() });
  out.result({
    json: { written: file },
    text: `${printable(file)} is written: make it yours, then \`resurgo runbook validate ${printable(file)}\``,
  });
  return EXIT.ok;
}

async function importAnsible({ out }: CliContext, options: { inventory: string; output?: string }): Promise<number> {
  const { inventory, output } = options;
  const { yaml, notCarried } = importAnsibleFile({ file: inventory });
  if (output !== undefined) await writeNew({ file: output, text: yaml });
  for (const { file, line, text, reason } of notCarried)
    out.warn(printable(`${file}:${line}: ${reason}${text.trim() === '' ? '' : `: ${text.trim()}`}`));
  out.result({
    json: {
      written: output,
      yaml: output === undefined ? yaml : undefined,
      notCarried: notCarried.map((each) => ({ ...each })),
    },
    text:
      output === undefined
        ? yaml.trimEnd()
        : `${printable(output)} is written${notCarried.length === 0 ? '' : `; ${counted(notCarried.length, 'thing')} of the inventory ${notCarried.length === 1 ? 'is not carried over or was' : 'are not carried over or were'} assumed`}: check it with \`resurgo runbook validate ${printable(output)}\``,
  });
  return EXIT.ok;
}

/** Writes a file that is not there yet. @throws CliError when it is, or can't be written */
async function writeNew({ file, text }: { file: string; text: string }): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx' });
  } catch (error) {
    if (hasCode(error, 'EEXIST'))
      throw new CliError(`${file} exists and is left as it is: name another file, or move it away first`, EXIT.usage);
    throw new CliError(`${file} can't be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A value as its JSON has it. */
function plain(value: object): JsonObject {
  return z.record(z.string(), z.json()).parse(JSON.parse(JSON.stringify(value)));
}
