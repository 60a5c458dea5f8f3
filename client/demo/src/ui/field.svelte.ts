/** Form fields of what is stored. */
import type { Attachment } from "svelte/attachments";

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

/**
 * Has a field show what is stored, but for what is being typed into it: neither another device nor
 * a write of this field that is under way takes that away. Gives `save` what the browser finds
 * valid; anything else is given up when the field is left.
 */
export function field(stored: () => string, save: (value: string) => void): Attachment<Field> {
  return (element) => {
    let holds: "stored" | "typed" | "saved" = "stored";
    const show = (value: string) => {
      if (element.value !== value) element.value = value;
    };
    $effect(() => {
      const value = stored();
      if (holds === "stored") show(value);
    });
    const heard = {
      input: () => (holds = "typed"),
      change: () => {
        if (!element.validity.valid) return;
        holds = "saved";
        save(element.value);
      },
      blur: () => {
        if (holds === "typed") show(stored());
        holds = "stored";
      },
    };
    for (const [type, call] of Object.entries(heard)) element.addEventListener(type, call);
  };
}
