/** What differs from run to run: times, durations, and the sizes and encodings of messages that hold times. */
const VARYING: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "<time>"],
  [/^(date: ).*$/gim, "$1<time>"],
  [/("retryDelay": *")[\d.]+s/g, "$1<duration>"],
  [/(content-length: )\d+/g, "$1<size>"],
  [/\d+( bytes)/g, "<size>$1"],
  [/("body": *")[^"]+/g, "$1<bytes>"],
  // Go's JSON has one space here or two, by the build of the program (protobuf's detrand).
  [/": +/g, '": '],
];

export function withoutWhatVaries(output: string): string {
  return VARYING.reduce((text, [pattern, name]) => text.replace(pattern, name), output);
}
