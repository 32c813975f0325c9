/** From bare metal, end to end, machines that boot by BIOS. */
import { describeLab } from '../support/describe-lab';
import { biosCases, chosenCases } from './support/cases';
import { proveRecovery } from './support/prove';

jest.setTimeout(3_600_000);

describeLab('recovery from bare metal by BIOS', () => {
  test.each(chosenCases(biosCases))('$title: the machine boots by its firmware and holds every file', async (each) => {
    expect(await proveRecovery(each)).toEqual([]);
  });
});
