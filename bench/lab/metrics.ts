/** What a service says of itself, by the names and labels of its metrics. */
export type Metrics = ReadonlyMap<string, number>;

export async function readMetrics(httpAddress: string): Promise<Metrics> {
  const response = await fetch(`http://${httpAddress}/metrics`);
  const lines = (await response.text()).split("\n");
  return new Map(
    lines
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line): [string, number] => {
        const end = line.lastIndexOf(" ");
        return [line.slice(0, end), Number(line.slice(end + 1))];
      }),
  );
}

/** How often the service has executed a call. */
export function executionsIn(metrics: Metrics): number {
  return [...metrics]
    .filter(([name]) => name.startsWith("payonce_calls_total{") && name.includes('"executed"'))
    .reduce((sum, [, count]) => sum + count, 0);
}
