import type { CrmErasure, CrmPlan } from './crms.ts';

const AFTERWARDS = {
  blocked: 'the CRM itself keeps the address from being mailed again',
  mailable: 'its opt-out there is gone with the contact: who imports the address there mails it',
} as const;

const NOT_ASKED = {
  none: 'has no call that erases a contact: erase it there by hand',
  suppression:
    'is not asked: all that it is given of a recipient is that there must be no mail. Leave that there, or the address is mailed again',
} as const;

/** What became of the recipients at one CRM, for people. */
export function erasureLines({ consumer, kind, recipients, afterwards, problem }: CrmErasure): string[] {
  const name = `${consumer} (${kind})`;
  if (afterwards === null || afterwards === 'suppression')
    return [`${name} ${NOT_ASKED[afterwards ?? 'none']}`];
  const { erased, absent, underWay, left } = recipients;
  const parts = [
    ...(erased > 0 ? [`${erased} erased`] : []),
    ...(absent > 0 ? [`${absent} not there`] : []),
    ...(underWay > 0 ? [`${underWay} taken, and still shown: give the order again to see the end`] : []),
    ...(left > 0 ? [`${left} left`] : []),
  ];
  return [
    `${name}: ${parts.join(', ')}`,
    // Also of who was "not there": what was erased and had its answer lost looks the same.
    ...(erased + underWay + absent > 0 ? [`  ${AFTERWARDS[afterwards]}`] : []),
    ...(problem ? [`  ${problem.code}: ${problem.text}`] : []),
  ];
}

/** The calls that would be made. */
export function planLines({ consumer, kind, calls, afterwards, problem }: CrmPlan): string[] {
  const name = `${consumer} (${kind})`;
  if (afterwards === null || afterwards === 'suppression')
    return [`${name} ${NOT_ASKED[afterwards ?? 'none']}`];
  if (problem) return [`${name}: ${problem.code}: ${problem.text}`];
  if (calls.length === 0) return [`${name}: not there`];
  const made = calls.map(({ method, url, body = '' }) => `  ${method} ${url} ${body}`.trimEnd());
  return [`${name} would be asked, and ${AFTERWARDS[afterwards]}:`, ...made];
}
