// Card numbers must never be stored here (PCI DSS 4.0, requirement 3.5), and whoever
// sends one does so by mistake: a token is what belongs into a request.

/** Runs of digits, with a single separator between groups, that touch no letter and no other digit. */
const DIGIT_GROUPS = /(?<![\p{L}\p{N}])\p{Nd}+(?:[\p{Zs}\p{Pd}.]\p{Nd}+)*(?![\p{L}\p{N}])/gu;

const SEPARATOR = /[\p{Zs}\p{Pd}.]/u;

/** The groups in which the digits of a card are printed, by their lengths. */
const PRINTED: readonly (readonly number[])[] = [
  [4, 4, 4, 4],
  [4, 4, 4, 4, 3],
  [4, 6, 5],
  [4, 6, 4],
];

/**
 * The numbers of each issuer, by how they begin and how long they are (ISO/IEC 7812).
 * One in ten of all numbers passes the check digit; the beginning is what keeps
 * timestamps and most numbers of orders apart.
 */
const ISSUED: readonly RegExp[] = [
  /^4(?:\d{12}|\d{15}|\d{18})$/, // Visa; those with 13 digits are old
  /^(?:5[1-5]\d{4}|222[1-9]\d\d|22[3-9]\d{3}|2[3-6]\d{4}|27[01]\d{3}|2720\d\d)\d{10}$/, // Mastercard
  /^3[47]\d{13}$/, // American Express
  /^(?:6011|64[4-9]\d|65\d\d)\d{12,15}$/, // Discover
  /^3(?:0[0-59]|[689]\d)\d{11}(?:\d{2})?$/, // Diners Club
  /^35(?:2[89]|[3-8]\d)\d{12,15}$/, // JCB
  /^62\d{14,17}$/, // UnionPay
  /^(?:50\d\d|5[6-8]\d\d|6304|6759|676[1-3])\d{12,15}$/, // Maestro
  /^220[0-4]\d{12,15}$/, // Mir
];

/** Returns true if a text holds what can only be a card number: grouped as on a card or not at all. */
export function holdsCardNumber(text: string): boolean {
  // Full-width digits and the like become plain ones.
  for (const [run] of text.normalize("NFKC").matchAll(DIGIT_GROUPS)) {
    const groups = run.split(SEPARATOR);
    if (groups.some(isCardNumber) || PRINTED.some((lengths) => holdsPrinted(groups, lengths))) {
      return true;
    }
  }
  return false;
}

function holdsPrinted(groups: readonly string[], lengths: readonly number[]): boolean {
  return groups.some((_, start) => {
    const some = groups.slice(start, start + lengths.length);
    return (
      some.length === lengths.length &&
      some.every((group, index) => group.length === lengths[index]) &&
      isCardNumber(some.join(""))
    );
  });
}

function isCardNumber(digits: string): boolean {
  if (digits.length < 13 || digits.length > 19) {
    return false;
  }
  const plain = digits.replace(/[^0-9]/gu, (digit) => String(digitValue(digit)));
  return (
    ISSUED.some((issued) => issued.test(plain)) && passesLuhn(plain) && !isArticleNumber(plain)
  );
}

/** A GTIN-13, as it stands below a barcode: one in ten would pass for an old Visa. */
function isArticleNumber(digits: string): boolean {
  const sum = [...digits].reduce(
    (total, digit, at) => total + Number(digit) * (1 + 2 * (at % 2)),
    0,
  );
  return digits.length === 13 && sum % 10 === 0;
}

/** Unicode's decimal digits stand in blocks of ten, from 0 to 9. */
function digitValue(digit: string): number {
  const at = digit.codePointAt(0) ?? 0;
  let before = 0;
  while (/\p{Nd}/u.test(String.fromCodePoint(at - before - 1))) {
    before += 1;
  }
  return before % 10;
}

/** The check digit of ISO/IEC 7812-1, annex B. */
function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (const [index, digit] of [...digits].toReversed().entries()) {
    const value = Number(digit) * (index % 2 === 0 ? 1 : 2);
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 === 0;
}
