/** Says that a connection was lost while nothing was asked of it; the next statement opens another. */
export function reportLostConnection({ message }: Error): void {
  console.error(`DATABASE_URL: a connection was lost: ${message}`);
}
