/** The picture that stands for a view where there is no kernel. */

/** Takes it away, now that the view is there: it is an output before this one. */
export function hideStill(root: HTMLElement, id: string): void {
  const output = root.closest(".jp-OutputArea-child, .output_area");
  const pictures = id && output ? output.parentElement!.querySelectorAll<HTMLElement>(`img, [id="${CSS.escape(id)}"]`) : [];
  for (const picture of pictures) {
    if (picture.id !== id && !(picture as HTMLImageElement).src.includes(id)) continue;
    const holder = picture.closest<HTMLElement>(".jp-OutputArea-child, .output_area");
    if (holder && holder !== output) holder.style.display = "none";
  }
}
