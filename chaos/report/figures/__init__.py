"""The report's figures, one module each: from data to one inline SVG with its legend and a sentence."""
