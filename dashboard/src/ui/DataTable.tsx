/**
 * A table of figures: sortable where that helps, numbers on the right, the first cell of a row opens
 * it. It shows what it is given and knows nothing of where rows come from.
 */
import { type ReactNode, useState } from "react";

import { type SortState, sorted, turned } from "../lib/sort";
import { Icon } from "./icons";

/** One column of a table of `Row`s. */
export interface ColumnSpec<Row> {
  readonly id: string;
  readonly header: string;
  readonly cell: (row: Row) => ReactNode;
  /** Numbers stand on the right, with figures of one width. */
  readonly number?: boolean;
  /** What the column is sorted by; a column without it is not sortable. Unknown sorts last. */
  readonly order?: (row: Row) => number | string | null;
  /** What the figure means, when the header is pointed at. */
  readonly meaning?: string;
  /** Left out on narrow screens. */
  readonly wideOnly?: boolean;
  /** How strongly the cell is tinted as worse than its peers, 0 to 1. */
  readonly tint?: (row: Row) => number;
}

interface DataTableProps<Row> {
  readonly caption: string;
  readonly columns: readonly ColumnSpec<Row>[];
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row) => string;
  readonly tone?: (row: Row) => "bad" | undefined;
  readonly selected?: string | null;
  /** Opens a row; the words name what is opened. */
  readonly onOpen?: (row: Row) => void;
  readonly openLabel?: (row: Row) => string;
  /** The sorting to begin with. */
  readonly initialSort?: SortState;
  /** Scrolls by itself when long. */
  readonly tall?: boolean;
}

/** The table. */
export function DataTable<Row>(props: DataTableProps<Row>) {
  const [sort, setSort] = useState<SortState | null>(props.initialSort ?? null);
  const sortedBy = props.columns.find((column) => column.id === sort?.column)?.order;
  const rows =
    sort === null || sortedBy === undefined
      ? props.rows
      : sorted(props.rows, sortedBy, sort.direction);
  return (
    // A region that scrolls must take the focus, or the keyboard cannot scroll it.
    <div
      className={`scroller${props.tall === true ? " scroller-tall" : ""}`}
      role="region"
      aria-label={props.caption}
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
    >
      <table className="table">
        <caption className="only-read-aloud">{props.caption}</caption>
        <thead>
          <tr>
            {props.columns.map((column) => (
              <HeaderCell
                key={column.id}
                column={column}
                sort={sort}
                onSort={() => {
                  setSort(turned(sort, column.id, column.number === true));
                }}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <BodyRow key={props.rowKey(row)} row={row} table={props} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface HeaderCellProps<Row> {
  readonly column: ColumnSpec<Row>;
  readonly sort: SortState | null;
  readonly onSort: () => void;
}

function HeaderCell<Row>({ column, sort, onSort }: HeaderCellProps<Row>) {
  const mine = sort?.column === column.id ? sort.direction : null;
  return (
    <th
      scope="col"
      className={classOf(column)}
      title={column.meaning}
      aria-sort={mine === null ? undefined : mine === "up" ? "ascending" : "descending"}
    >
      {column.order === undefined ? (
        column.header
      ) : (
        <button type="button" className="sort" onClick={onSort}>
          {column.header}
          {mine === null ? null : <Icon name={mine} />}
        </button>
      )}
    </th>
  );
}

function BodyRow<Row>({ row, table }: { readonly row: Row; readonly table: DataTableProps<Row> }) {
  const key = table.rowKey(row);
  return (
    <tr data-tone={table.tone?.(row)} data-selected={table.selected === key ? "true" : undefined}>
      {table.columns.map((column, index) => {
        const tint = column.tint?.(row) ?? 0;
        const { onOpen } = table;
        const content = column.cell(row);
        return (
          <td
            key={column.id}
            className={`${classOf(column)}${tint > 0 ? " tinted" : ""}`}
            style={tint > 0 ? { "--tint": tint } : undefined}
          >
            {index === 0 && onOpen !== undefined ? (
              <button
                type="button"
                className="row-open"
                data-row={key}
                aria-label={table.openLabel?.(row)}
                onClick={() => {
                  onOpen(row);
                }}
              >
                {content}
              </button>
            ) : (
              content
            )}
          </td>
        );
      })}
    </tr>
  );
}

function classOf<Row>(column: ColumnSpec<Row>): string {
  const number = column.number === true ? "number" : "";
  return column.wideOnly === true ? `${number} only-wide` : number;
}
