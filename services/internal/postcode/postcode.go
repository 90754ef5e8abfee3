// Package postcode finds the LSOA that a postcode lies in.
package postcode
