"""The report's figures, one module each: data in, one inline SVG with its legend and sentence out."""
