/** What a program sends back. */
export type Reply<Answer> =
  | { readonly answer: Answer; readonly error?: undefined }
  | { readonly answer?: undefined; readonly error: string };

/** What the program was started with. Both ends are built from the same source. */
export function settings<Settings>(): Settings {
  return JSON.parse(process.argv[2] ?? "{}") as Settings;
}

/** Answers the questions of the process that started this one, and ends with it. */
export function answering<Question, Answer>(
  answer: (question: Question) => Answer | Promise<Answer>,
): void {
  process.on("message", ({ question }: { readonly question: Question }) => {
    Promise.resolve(question)
      .then(answer)
      .then(
        (answer): Reply<Answer> => ({ answer }),
        (error): Reply<Answer> => ({ error: String(error?.stack ?? error) }),
      )
      .then((reply) => process.send?.(reply));
  });
  process.on("disconnect", () => process.exit());
}
