/**
 * The active currencies of ISO 4217, list one as published for 2026 by its
 * maintenance agency, SIX (Bulgaria has used EUR since January 2026, Curaçao
 * and Sint Maarten XCG since 2025).
 *
 * Left out, because nobody pays with them: fund codes and units of account
 * (BOV, CHE, CHW, CLF, COU, MXV, USN, UYI, UYW, XAD, XBA, XBB, XBC, XBD, XDR,
 * XSU, XUA), precious metals (XAG, XAU, XPD, XPT), and the codes for testing
 * and for no currency (XTS, XXX).
 */
const activeCurrencies: ReadonlySet<string> = new Set(
  `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD
  CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP
  GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD
  KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN
  NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP
  SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES
  VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG`.split(/\s+/),
);

/** Returns true if payments can be made in a currency: upper case, such as `EUR`. */
export function isActiveCurrency(currencyCode: string): boolean {
  return activeCurrencies.has(currencyCode);
}
