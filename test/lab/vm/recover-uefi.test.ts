/** From bare metal, end to end, machines that boot by UEFI. */
import { describeLab } from '../support/describe-lab';
import { uefiCases, chosenCases } from './support/cases';
import { proveRecovery } from './support/prove';

jest.setTimeout(3_600_000);

describeLab('recovery from bare metal by UEFI', () => {
  test.each(chosenCases(uefiCases))('$title: the machine boots by its firmware and holds every file', async (each) => {
    expect(await proveRecovery(each)).toEqual([]);
  });
});
