/** What `rabbitmqctl list_…` prints, in an order of its own. */
export type Row = Readonly<Record<string, unknown>>
/** Sorted, whatever the order of the rows and their keys. */
export const sorted = (rows: ReadonlyArray<Row>): ReadonlyArray<string> =>
  rows.map((row) => JSON.stringify(ordered(row))).toSorted()
const ordered = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(ordered)
    : typeof value === "object" && value !== null
      ? Object.fromEntries(
          Object.entries(value)
            .toSorted(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, inner]) => [key, ordered(inner)])
        )
      : value
