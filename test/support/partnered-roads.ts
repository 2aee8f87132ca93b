import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { startPartner, type Partner } from './partner.ts';
import { openRoad, type DestinationEntry, type Road, type RoadOptions } from './road.ts';

/** What a test file needs whose roads end at one partner. */
export interface PartneredRoads {
  /** Answers 200, and has received nothing, when a test begins. */
  partner: Omit<Partner, 'close'>;
  /** Opens a road, which is closed after the test; to a webhook, where no destinations are given. */
  open: (
    destinations?: DestinationEntry[],
    more?: Omit<Partial<RoadOptions>, 'destinations'>,
  ) => Promise<Road>;
  /** A webhook at the partner, on the path of its name. */
  hook: (name?: string, more?: Record<string, unknown>) => DestinationEntry;
  /** A destination there that takes many events a request. */
  mixpanel: (more?: Record<string, unknown>) => DestinationEntry;
}

/** Tries again soon. */
export const fastRetry = { firstDelay: '1s', maxDelay: '1s' };

/** To be called where a test file begins. */
export const partneredRoads = (): PartneredRoads => {
  let started: Partner;
  const roads: Road[] = [];
  beforeAll(async () => {
    started = await startPartner();
  });
  afterEach(async () => {
    await Promise.all(roads.splice(0).map((road) => road.close()));
    started.received.length = 0;
    started.script(() => ({ status: 200 }));
  });
  afterAll(() => started.close());
  const hook: PartneredRoads['hook'] = (name = 'hook', more = {}) => ({
    name,
    type: 'webhook',
    settings: { url: `${started.url}/${name}` },
    ...more,
  });
  return {
    partner: {
      get url() {
        return started.url;
      },
      get received() {
        return started.received;
      },
      script: (answer) => started.script(answer),
      until: (condition) => started.until(condition),
    },
    open: async (destinations = [hook()], more = {}) => {
      const road = await openRoad({ destinations, ...more });
      roads.push(road);
      return road;
    },
    hook,
    mixpanel: (more = {}) => ({
      name: 'mixpanel',
      type: 'mixpanel',
      settings: { projectToken: 'project-token-1' },
      endpoint: started.url,
      ...more,
    }),
  };
};
