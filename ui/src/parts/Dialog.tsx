// A question that must be answered before going on. The platform's own <dialog>: it traps focus, closes
// on Escape and gives focus back, and it needs no style element, which our CSP would refuse.
import { useId, useLayoutEffect, useRef, type ReactNode } from "react";

/** The control with `data-first` has the focus to begin with. */
type Props = {
  title: string;
  onClose: () => void;
  /** A click beside it does not close it: what it shows can't be had again. */
  firm?: boolean;
  /** Rows of several fields need more room. */
  wide?: boolean;
  children: ReactNode;
};

export function Dialog({ title, onClose, firm = false, wide = false, children }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const heading = useId();
  // Layout effects end while the element is still in the page: only then can it give focus back.
  useLayoutEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    dialog?.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => {
      dialog?.close();
      if (document.activeElement === document.body) focusBeneath();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby={heading}
      onCancel={(event) => { event.preventDefault(); onClose(); }}
      onPointerDown={(event) => event.target === ref.current && !firm && onClose()}
      className={`${wide ? "w-160" : "w-115"} max-w-[calc(100vw-32px)] rounded-md bg-float shadow-float`}
    >
      <div className="p-5">
        <h2 id={heading} className="text-figure mb-3">{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

/** What had the focus before is gone: a dialog that was beneath says where to go on. */
function focusBeneath(): void {
  const beneath = [...document.querySelectorAll("dialog[open]")].at(-1);
  [...beneath?.querySelectorAll<HTMLElement>("[data-first]") ?? []].at(-1)?.focus();
}

/** The row of buttons that ends a dialog. */
export function DialogEnd({ children }: { children: ReactNode }) {
  return <div className="mt-5 flex flex-wrap justify-end gap-2">{children}</div>;
}
