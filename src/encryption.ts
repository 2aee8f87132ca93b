import type { KeyObject } from 'node:crypto';

/** A key of AES-256. The object is one that no log prints. */
export interface EncryptionKey {
  /** In the plain text of what it encrypts. */
  id: string;
  key: KeyObject;
}
