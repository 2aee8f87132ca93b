/** The longest reason that is kept of a partner's words. */
const longestReason = 200;

const forms = (secret: string): string[] => [
  secret,
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
  return (words) => {
    let safe = words;
    for (const secret of hidden) safe = safe.replaceAll(secret, '***');

    return safe
      .replace(/[\u0000-\u001f\u007f\s]+/g, ' ')
      .trim()
      .slice(0, longestReason);
  };
};
