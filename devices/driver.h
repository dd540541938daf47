/* The driver table's members: one per kind of device. */
#ifndef HAWSER_DEVICES_DRIVER_H
#define HAWSER_DEVICES_DRIVER_H

#include "devices/device.h"

extern const struct device_driver driver_local, driver_sim;

#endif
