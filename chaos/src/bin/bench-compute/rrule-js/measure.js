// Expands rules for some seconds each: {seconds, rules: [{text, from, to}]} in the first argument,
// [{rate, count}] on standard output.

import rrule from "rrule";

const { seconds, rules } = JSON.parse(process.argv[2]);

const answers = rules.map(({ text, from, to }) => {
  const [after, before] = [new Date(from), new Date(to)];
  // Read anew each time: rrule.js would answer the second time from its cache.
  const expand = () => rrule.rrulestr(text).between(after, before, true).length;
  const count = expand();
  for (let warm = 0; warm < 200; warm += 1) expand();
  const begin = performance.now();
  let times = 0;
  let elapsed = 0;
  while (elapsed < seconds * 1000) {
    expand();
    times += 1;
    elapsed = performance.now() - begin;
  }
  return { rate: times / (elapsed / 1000), count };
});

console.log(JSON.stringify(answers));
