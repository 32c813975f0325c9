/** From bare metal, end to end, machines that boot by UEFI. */
import { chosen } from '../../crash/support/choice';
import { describeLab } from '../support/describe-lab';
import { uefiCases } from './support/cases';
import { proveRecovery } from './support/prove';

jest.setTimeout(3_600_000);

describeLab('recovery from bare metal by UEFI', () => {
  test.each(chosen(uefiCases))('$title: the machine boots by its firmware and holds every file', async (each) => {
    expect(await proveRecovery(each)).toEqual([]);
  });
});
