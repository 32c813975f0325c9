/** `npm run histories [-- NAME…]`: records the kept histories anew. When to: CONTRIBUTING.md, "How to change a workflow". */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { startEngine } from './engine';
import { cleanHistory, historyFile } from './histories';
import { play, SCENARIOS } from './scenarios';

async function main(names: readonly string[]): Promise<void> {
  const chosen = SCENARIOS.filter(({ name, run }) =>
    names.length === 0 ? typeof run !== 'string' : names.includes(name),
  );
  const engine = await startEngine();
  try {
    for (const scenario of chosen) {
      const handle = await play({ engine, scenario });
      const text = cleanHistory(await handle.fetchHistory());
      const file = historyFile(scenario.name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, text);
      const { status } = await handle.describe();
      console.log(`${scenario.name}: ${status.name}, ${text.length} bytes`);
    }
  } finally {
    await engine.env.teardown();
  }
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
