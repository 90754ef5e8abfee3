SELECT count() AS "Figures" FROM reporting.rule_breaks
