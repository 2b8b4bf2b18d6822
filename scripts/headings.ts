/** The anchors of a Markdown page, as GitHub makes them: the test of links and the documentation site go by the same ones. */

/** The text of a heading without its markup. */
export const plain = (heading: string): string =>
  heading
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/<[^>]+>/g, "")
    .replace(/[`*]|(?<!\w)_|_(?!\w)/g, "")
    .trim()

/** Makes an anchor of each heading; one that was there before gets a number. */
export class Slugs {
  private readonly seen = new Map<string, number>()

  next(heading: string): string {
    const slug = plain(heading)
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, "")
      .replaceAll(" ", "-")
    const count = this.seen.get(slug) ?? 0
    this.seen.set(slug, count + 1)
    return count === 0 ? slug : `${slug}-${count}`
  }
}

/** The page without its blocks of code, in which a `#` is a comment and a link is text. */
export const withoutCode = (markdown: string): string => markdown.replace(/^( *)(`{3,})[\s\S]*?^\1\2 *$/gm, "")

/** Every place of a page to which a link may lead. */
export const anchorsOf = (markdown: string): ReadonlySet<string> => {
  const text = withoutCode(markdown)
  const slugs = new Slugs()
  const headings = [...text.matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, heading = ""]) => slugs.next(heading))
  return new Set([...headings, ...[...text.matchAll(/<a id="([^"]+)"/g)].map(([, id = ""]) => id)])
}

/** The targets of links and pictures that are no addresses of the web. */
export const linksOf = (markdown: string): ReadonlyArray<string> =>
  [
    ...withoutCode(markdown)
      .replace(/`[^`\n]+`/g, "")
      .matchAll(/\]\((?!\w+:)([^)\s]+)\)|\bsrc="(?!\w+:)([^"]+)"/g)
  ].map(([, link, picture = ""]) => link ?? picture)
