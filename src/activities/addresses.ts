import ipaddr from 'ipaddr.js';

/** Public by their range, and yet a cloud's own: Azure's platform address. */
const clouds = new Set(['168.63.129.16']);
/** IPv4 addresses written as IPv6 in the way that RFC 4291 gave up (2.5.5.1). */
const ipv4Compatible = ipaddr.IPv6.parseCIDR('::/96');

/** Whether an address is of the public internet, and not of this machine, its network or its cloud. */
export const isPublic = (address: string): boolean => {
  if (!ipaddr.isValid(address) || clouds.has(address)) return false;
  const parsed = ipaddr.process(address);
  return (
    parsed.range() === 'unicast' && !(parsed.kind() === 'ipv6' && parsed.match(ipv4Compatible))
  );
};

/** Whether a host is an IP address, and not a public one. Of a name that is known once it is looked up. */
export const isPrivateAddress = (host: string): boolean => ipaddr.isValid(host) && !isPublic(host);
