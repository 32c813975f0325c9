/** Steps of a run where there is no terminal. */
import { LiveLines } from '../../cli/live-lines';
import { Output } from '../../cli/output';

test('without a terminal steps are said when others run, not when the same come in another order or further on', () => {
  const out = new Output({ json: false, quiet: false });
  const said: string[] = [];
  jest.spyOn(out, 'say').mockImplementation((text) => {
    said.push(text);
  });
  const lines = new LiveLines(out);
  lines.show(['copy app-1  sending  1 MB', 'copy app-2  sending  2 MB']);
  lines.show(['copy app-2  sending  3 MB', 'copy app-1  sending  4 MB']);
  lines.show(['copy app-2  sending  5 MB']);
  expect(said).toEqual(['copy app-1  sending\ncopy app-2  sending', 'copy app-2  sending']);
});
