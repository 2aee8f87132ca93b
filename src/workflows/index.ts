export { deliverBatch } from './deliver-batch.ts';
export { redriveBatches } from './redrive-batches.ts';
