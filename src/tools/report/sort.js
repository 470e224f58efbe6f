// Tables whose headings sort: numbers by value, the largest first; texts by letter.
for (const table of document.querySelectorAll('table.sortable')) {
  const headings = [...table.rows[0].cells];
  headings.forEach((heading, column) => heading.firstChild.addEventListener('click', () => {
    const number = heading.classList.contains('n');
    const down = heading.ariaSort ? heading.ariaSort === 'ascending' : number;
    const key = row => number ? parseFloat(row.cells[column].textContent) : row.cells[column].textContent;
    const order = (a, b) => {
      const x = key(a), y = key(b);
      if (number && isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;  // what is not known stays below
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
    };
    headings.forEach(other => { other.ariaSort = null; });
    heading.ariaSort = down ? 'descending' : 'ascending';
    const body = table.tBodies[0];
    body.append(...[...body.rows].slice(1).sort(order));
  }));
}
