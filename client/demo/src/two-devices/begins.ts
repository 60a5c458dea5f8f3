/** What the two devices begin with. */
export const begins = {
  tasks: [
    { id: "pair-1", title: "Buy milk", done: false, order: 1 },
    { id: "pair-2", title: "Call Ada", done: false, order: 2 },
  ],
};
