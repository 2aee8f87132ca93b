/** The longest reason that is kept of a partner's words. */
const longestReason = 200;

/** The most of a partner's words that is looked at. */
const longestRead = 4_096;

/** Shorter parts of an address are no secret, and would be found in ordinary words. */
const shortestPart = 8;

/** An address that is a secret is one in parts too: partners answer with the path, or what the query holds. */
const partsOf = (secret: string): string[] => {
  if (!URL.canParse(secret)) return [];
  const { pathname, search, searchParams, username, password } = new URL(secret);
  const written = search.slice(1).split(/[&=]/);
  const values = [...searchParams.values(), ...written, username, password];
  return [pathname + search, pathname, search.slice(1), ...values].filter(
    ({ length }) => length >= shortestPart,
  );
};

const forms = (secret: string): string[] => [
  secret,
  ...partsOf(secret),
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  Buffer.from(`${secret}:`).toString('base64').replace(/=+$/, ''),
];

/**
 * Makes words safe to keep and show: secrets become `***` in every form they travel in, control
 * characters and line breaks become spaces, and what is longer than 200 characters is cut.
 */
export const createMask = (secrets: readonly string[]): ((words: string) => string) => {
  const hidden = [...new Set(secrets.flatMap(forms))].sort((a, b) => b.length - a.length);
  const longest = hidden[0]?.length ?? 0;
  return (words) => {
    let safe = words.slice(0, longestRead);
    for (const secret of hidden) safe = safe.replaceAll(secret, '***');
    // A secret that the cut went through is not found.
    if (words.length > longestRead) safe = safe.slice(0, -longest || undefined);
    return safe
      .replace(/[\u0000-\u001f\u007f\s]+/g, ' ')
      .trim()
      .slice(0, longestReason);
  };
};
