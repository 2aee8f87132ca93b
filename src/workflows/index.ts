export { deliverBatch } from './deliver-batch.ts';
