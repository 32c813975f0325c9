'use strict';

// Tests on real hosts take seconds by nature; jest's own limit of 5 s is for the others. (Its configuration knows no limit per project.)
jest.setTimeout(120_000);
